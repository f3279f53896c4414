from influxdb_client_3 import SYNCHRONOUS, InfluxDBClient3, WriteOptions, write_client_options

client = InfluxDBClient3(
    host="http://127.0.0.1:8000",
    token="cave_YOUR_TOKEN",
    database="any",
    write_client_options=write_client_options(write_options=WriteOptions(write_type=SYNCHRONOUS)),
)
