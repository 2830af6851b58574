-- Which versions of a skill were yanked, or are so no more, is found without the rest of its log.
CREATE INDEX log_yanks ON log (skill, idx) WHERE kind IN ('version.yanked', 'version.unyanked');
