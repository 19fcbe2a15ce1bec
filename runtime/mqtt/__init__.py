"""Keep an MQTT connection up; queue what goes in and out."""
