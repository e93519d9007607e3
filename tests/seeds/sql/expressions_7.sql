SELECT a, from "secret" s
