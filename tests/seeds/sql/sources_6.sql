SELECT visits.a FROM events AS visits, visits e
