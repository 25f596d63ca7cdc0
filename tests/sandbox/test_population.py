from __future__ import annotations

from collections import Counter

import pytest

from sandbox.config import ClassMix, CustomerClass
from sandbox.population import generate
from sandbox.population.models import truth_of
from sandbox.population.peculiarities import PECULIARITIES


def truths(population):
    mpn_ids = frozenset(reseller.mpn_id for reseller in population.resellers)
    own = population.tenant_reseller.mpn_id
    return {c.tenant_id: truth_of(c, mpn_ids, own) for c in population.customers}


def test_same_seed_gives_the_same_customers():
    assert generate(150, 7, ClassMix(), 8) == generate(150, 7, ClassMix(), 8)


def test_another_seed_gives_other_customers():
    ids = [{c.tenant_id for c in generate(20, seed, ClassMix(), 8).customers} for seed in (1, 2)]
    assert ids[0].isdisjoint(ids[1])


def test_mix_is_met_exactly():
    population = generate(200, 1, ClassMix(45, 30, 25), 8)
    assert Counter(c.made_as for c in population.customers) == {
        CustomerClass.DIRECT: 90,
        CustomerClass.INDIRECT: 60,
        CustomerClass.TENANT_RESELLER: 50,
    }


@pytest.mark.parametrize("size", [100, 600])
def test_every_peculiarity_occurs_from_100_customers_on(size):
    found = Counter(p for c in generate(size, 1, ClassMix(), 8).customers for p in c.peculiarities)
    assert {p.name: found[p.name] >= p.minimum for p in PECULIARITIES} == {
        p.name: True for p in PECULIARITIES
    }


def test_truth_follows_the_live_subscriptions():
    population = generate(100, 1, ClassMix(), 8)
    by_kind = {p: c for c in population.customers for p in c.peculiarities}
    known = truths(population)

    def classes(name):
        return known[by_kind[name].tenant_id].classes

    assert classes("no_subscriptions") == ("direct",)
    assert classes("mixed_subscriptions") == ("direct", "indirect")
    assert classes("only_deleted_with_mpn_id") == ("direct",)
    assert classes("unknown_partner_id") == ()
    assert classes("two_resellers") == ("indirect",)
    assert len(known[by_kind["two_resellers"].tenant_id].reseller_mpn_ids) == 2


def test_customers_of_the_tenant_reseller_are_indirect_customers_too():
    population = generate(40, 1, ClassMix(0, 0, 1), 8)
    found = {truth.classes for truth in truths(population).values()}
    assert found == {("indirect", "tenant_reseller")}


def test_equal_names_are_shared_by_several_customers():
    names = Counter(c.company_name for c in generate(600, 1, ClassMix(), 8).customers)
    assert names["Contoso Ltd"] == 3


@pytest.mark.parametrize("text", ["direct=0,indirect=0", "neither=1", "direct=-1,indirect=2"])
def test_mix_without_sense_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        ClassMix.parse(text)
