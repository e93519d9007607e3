SELECT a, from IS
