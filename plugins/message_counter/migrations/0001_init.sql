CREATE TABLE user_counts (
  server_id VARCHAR NOT NULL,
  date DATE NOT NULL,
  user_count INTEGER NOT NULL,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (server_id, date)
);

CREATE TABLE message_counts (
  server_id VARCHAR NOT NULL,
  channel_id VARCHAR NOT NULL,
  date DATE NOT NULL,
  message_count INTEGER NOT NULL,
  created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (server_id, channel_id, date)
);
