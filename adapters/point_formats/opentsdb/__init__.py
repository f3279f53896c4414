"""OpenTSDB's JSON, as posted to `/api/put`. `readable` defines the rules."""
