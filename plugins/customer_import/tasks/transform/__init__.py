"""``transform_customers``: customers into accounts and contacts."""
