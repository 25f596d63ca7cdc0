"""Great Expectations lives here: suites, row verdicts, findings in words."""
