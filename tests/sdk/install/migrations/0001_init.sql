CREATE TABLE greeted (
  guild_id BIGINT NOT NULL,
  user_id BIGINT NOT NULL,
  times BIGINT NOT NULL,
  PRIMARY KEY (guild_id, user_id)
);
