SELECT payload.user.id, payload.user.^profile, payload.items[].price.:`Array(Nullable(Float64))`, payload.`odd key`.x::String, JSONExtract(raw, 'a', 'Tuple(b UInt8, c Array(String))').b
FROM events_json WHERE payload.type = 'click' AND payload.user.id IS NOT NULL
