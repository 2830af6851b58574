-- What witnesses have cosigned: the newest checkpoint of which enough of them have, and newer ones. `witness` is the name
-- of a key with its id, `seconds` since 1970 the time that the witness has signed, `note` the checkpoint as the log has
-- signed it, `line` the cosignature.
CREATE TABLE cosignatures (
    size BIGINT NOT NULL,
    witness TEXT NOT NULL,
    seconds BIGINT NOT NULL,
    note TEXT NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, witness)
);
