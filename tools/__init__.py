"""What make runs besides the package and its tests; none of it is shipped."""
