CREATE TABLE channel_counts (
  guild_id BIGINT NOT NULL,
  channel_id BIGINT NOT NULL,
  messages BIGINT NOT NULL,
  PRIMARY KEY (guild_id, channel_id)
);
