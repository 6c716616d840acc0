INSERT INTO there_is_no_such_table VALUES (1);
