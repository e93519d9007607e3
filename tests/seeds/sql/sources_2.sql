SELECT a/**/FROM/**/events--x
WHERE/* FROM hidden */1 -- JOIN hidden
# FROM hidden
// FROM hidden
