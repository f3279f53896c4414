from influxdb import InfluxDBClient

client = InfluxDBClient(
    host="127.0.0.1",
    port=8000,
    path="organizations/gilt/influx",
    username="cave_YOUR_TOKEN",
    password="",
    database="any",
    gzip=True,
)
