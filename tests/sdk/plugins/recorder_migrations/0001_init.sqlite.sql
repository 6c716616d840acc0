CREATE TABLE recorded (
  n INTEGER PRIMARY KEY AUTOINCREMENT,
  shard BIGINT NOT NULL,
  position BIGINT NOT NULL,
  type TEXT NOT NULL,
  id BIGINT,
  guild_id BIGINT,
  channel_id BIGINT,
  seen BIGINT NOT NULL,
  handled_us BIGINT NOT NULL
);

CREATE TABLE positions (
  shard BIGINT NOT NULL,
  position BIGINT NOT NULL,
  times BIGINT NOT NULL,
  PRIMARY KEY (shard, position)
);

CREATE TABLE gaps (
  shard BIGINT NOT NULL,
  from_position TEXT NOT NULL,
  to_position TEXT NOT NULL,
  cause TEXT NOT NULL,
  times BIGINT NOT NULL,
  PRIMARY KEY (shard, from_position, to_position)
);
