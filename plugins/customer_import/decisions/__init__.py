"""What people settle about tenants: the rules, the table, the file."""
