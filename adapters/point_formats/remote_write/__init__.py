"""Prometheus remote write 1.0 and 2.0 (Remote-Write specifications, "Protocol").

`series` has the rules that both versions share, and `histograms` those of native histograms.
`version_1` and `version_2` read the bodies with protobuf. `scanner` reads most bodies of version 1
faster, with compiled code, and leaves the others to `version_1`.
"""
