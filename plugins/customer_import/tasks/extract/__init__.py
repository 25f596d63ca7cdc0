"""``extract_customers``: Partner Center into staging, each tenant classified."""
