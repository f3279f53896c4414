vmagent -promscrape.config=vmagent.yml \
  -remoteWrite.tmpDataPath=vmagent-data \
  -remoteWrite.url=http://127.0.0.1:8000/organizations/gilt/prometheus/api/v1/write \
  -remoteWrite.bearerToken=cave_YOUR_TOKEN
