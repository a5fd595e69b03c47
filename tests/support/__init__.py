"""What several suites share: fakes and small worlds."""
