"""What things cost, measured side by side; run by hand, never by the tests."""
