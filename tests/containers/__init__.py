"""Stories on real containers; only `make compose-test` runs them, as they need a Docker daemon and its images."""
