"""``validate_customers``: suites of Great Expectations, findings in words."""
