vmalert -rule=rules.yml \
  -datasource.url=http://127.0.0.1:8000/organizations/gilt/prometheus \
  -datasource.bearerToken=cave_YOUR_TOKEN \
  -remoteWrite.url=http://127.0.0.1:8000/organizations/gilt/prometheus \
  -remoteWrite.bearerToken=cave_YOUR_TOKEN \
  -remoteRead.url=http://127.0.0.1:8000/organizations/gilt/prometheus \
  -remoteRead.bearerToken=cave_YOUR_TOKEN \
  -notifier.url=http://127.0.0.1:9093
