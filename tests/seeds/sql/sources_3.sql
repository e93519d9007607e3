SELECT 1 FROM `select` JOIN "from" USING (x), `we``ird`, “wide name”
