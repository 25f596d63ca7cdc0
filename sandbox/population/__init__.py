"""The seeded population of Partner Center: resellers, customers and their subscriptions."""

from __future__ import annotations

from sandbox.population.generator import generate, generate_customer
from sandbox.population.models import Access, AuditRecord, Customer, Json, Population, Reseller

__all__ = [
    "Access",
    "AuditRecord",
    "Customer",
    "Json",
    "Population",
    "Reseller",
    "generate",
    "generate_customer",
]
