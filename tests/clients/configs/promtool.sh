promtool query instant http://cave_YOUR_TOKEN:@127.0.0.1:8000/organizations/gilt/prometheus 'up'
