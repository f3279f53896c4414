"""KairosDB's JSON, as posted to `/api/v1/datapoints`. `readable` defines the rules."""
