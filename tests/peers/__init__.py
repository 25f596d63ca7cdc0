"""Our source and our load under the standard tests of Singer and of Airbyte; ``make peers`` runs them.

The connectors are thin on purpose: what they do with an API is the library's. Files named ``suite`` need packages that
the project does not have; only their own environments collect them.
"""
