SELECT 1 FROM ws . events, `ws`./**/"visits" v
