"""What people see of a run: pure functions over `result.Result`."""
