"""From a profile to what runs: engine command lines, Compose files, Helm values."""
