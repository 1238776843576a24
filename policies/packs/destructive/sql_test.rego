package destructive.sql_test

import data.destructive.sql
import data.lib.frames_test.call

harms(arguments) := found if {
	found := sql.harms with input as call("db.execute", ["write"], arguments)
}

hostile := [
	"DELETE FROM customers",
	"delete/**/from customers",
	"DELETE FROM customers -- where id=1",
	"DELETE FROM customers /* where */;",
	"DELETE FROM customers WHERE 1=1",
	"DELETE FROM customers WHERE id=id",
	"delete from customers where (true)",
	"SELECT 1; DELETE FROM customers",
	"WITH d AS (DELETE FROM x RETURNING *) SELECT * FROM d WHERE d.id=1",
	"UPDATE x SET a=1",
	"/*!50000 DROP TABLE x */",
	"DROP TABLE x",
	"TRUNCATE x",
	"TRUNCATE TABLE x",
	"SELECT '\\'; DELETE FROM x; --'",
	"SELECT $$'$$; DELETE FROM x; SELECT $$'$$",
	"DO $$ BEGIN DELETE FROM x; END $$",
	"EXEC('DEL'+'ETE FROM x')",
	"DELETE FROM a DELETE FROM b WHERE id=1",
	"DELETE FROM [where] ",
	"DELETE FROM \"x where y\"",
	"delete\u00a0from x",
	"DELETE FROM x WHERE ''=''",
	"DELETE FROM x WHERE id = 3 OR 1=1",
	"DELETE FROM t --\rWHERE id=1",
	"SELECT 1 # 2; DELETE FROM x",
	"SELECT 1--1; DELETE FROM x",
	"((((((DELETE FROM x))))))",
	"alter table x drop column y",
	"SELECT x['a]'; DELETE FROM t; --']",
	"DELETE FROM x WHERE not false",
	"EXECUTE IMMEDIATE 'x'",
	"MERGE INTO t USING s ON t.id=s.id WHEN MATCHED THEN DELETE",
	"DELETE FROM x WHERE EXISTS (SELECT 1)",
]

test_hostile_spellings_are_blocked if {
	every text in hostile {
		count(harms({"sql": text})) > 0
	}
}

ordinary := [
	"SELECT * FROM customers WHERE name = 'delete from x'",
	"DELETE FROM customers WHERE id = 5",
	"UPDATE x SET a = 1 WHERE id = 'abc'",
	"UPDATE x SET a = (SELECT max(b) FROM c WHERE d = 1) WHERE id IN (1,2,3)",
	"INSERT INTO x VALUES (1,'drop table') ON CONFLICT (id) DO UPDATE SET a = 1",
	"SELECT * FROM x FOR UPDATE",
	"SELECT truncate(x, 2) FROM t",
	"CREATE TABLE a (id int references b(id) ON DELETE CASCADE ON UPDATE SET NULL)",
	"select 1 -- delete everything\n",
	"DELETE FROM \"orders\" WHERE (id = 5 AND status = 'x')",
	"select updated_at, dropped from x",
	"INSERT INTO x (a) VALUES (1) ON DUPLICATE KEY UPDATE a = 2",
]

test_ordinary_statements_pass if {
	every text in ordinary {
		count(harms({"sql": text})) == 0
	}
}

test_any_argument_can_hold_the_statement if {
	harms({"batch": [{"statement": "DELETE FROM customers"}]}) == {"DELETE without WHERE"}
}

test_bound_parameters_are_values if {
	count(harms({"sql": "INSERT INTO notes (text) VALUES (?)", "params": ["drop table x"]})) == 0
}

test_the_agent_reads_what_is_wrong if {
	found := sql.verdict with input as call("db.execute", ["write"], {"sql": "TRUNCATE customers"})
	some one in found
	one.effect == "block"
	one.reason == "The statement holds TRUNCATE."
}
