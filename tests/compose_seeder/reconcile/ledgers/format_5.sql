-- A ledger of format 5, as pg_dump wrote it after the upgrade of format_4.sql: the same datasets, records and runs.

CREATE SCHEMA compose_init;

CREATE FUNCTION compose_init.current_revisions() RETURNS text[]
    LANGUAGE sql STABLE
    AS $$SELECT array_agg(version_num::text ORDER BY version_num) FROM "public"."alembic_version"$$;

CREATE TABLE compose_init.dataset (
    name text NOT NULL,
    id integer CONSTRAINT dataset_number_not_null NOT NULL,
    target text NOT NULL,
    fingerprint text NOT NULL,
    records bigint NOT NULL,
    fields text[] NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

ALTER TABLE compose_init.dataset ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME compose_init.dataset_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE compose_init.format (
    version integer NOT NULL,
    salt bigint DEFAULT hashtextextended((gen_random_uuid())::text, (0)::bigint) NOT NULL
);

CREATE TABLE compose_init.intent (
    dataset_id integer CONSTRAINT intent_dataset_not_null NOT NULL,
    id bigint NOT NULL,
    desired bigint[] NOT NULL,
    structure jsonb
);

CREATE TABLE compose_init.phase (
    name text NOT NULL,
    inputs jsonb NOT NULL,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE compose_init.record (
    dataset_id integer CONSTRAINT record_dataset_not_null NOT NULL,
    id bigint NOT NULL,
    desired bigint[] NOT NULL,
    observed bigint[],
    structure jsonb
)
WITH (fillfactor='90');

CREATE TABLE compose_init.revision (
    revision text NOT NULL,
    parents text[] NOT NULL,
    depends_on text[] NOT NULL,
    message text NOT NULL,
    image_version text NOT NULL,
    git_revision text NOT NULL,
    breaks_older_images boolean NOT NULL,
    adopted boolean NOT NULL,
    applied_at timestamp with time zone,
    seconds double precision
);

CREATE TABLE compose_init.run (
    id bigint NOT NULL,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    version text NOT NULL,
    outcome text NOT NULL,
    exit_code integer NOT NULL,
    report jsonb NOT NULL
);

ALTER TABLE compose_init.run ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME compose_init.run_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE compose_init.source (
    dataset_id integer CONSTRAINT source_dataset_not_null NOT NULL,
    batch integer NOT NULL,
    digests bytea NOT NULL,
    ids bytea NOT NULL
);
ALTER TABLE ONLY compose_init.source ALTER COLUMN digests SET STORAGE EXTERNAL;
ALTER TABLE ONLY compose_init.source ALTER COLUMN ids SET STORAGE EXTERNAL;

INSERT INTO compose_init.dataset OVERRIDING SYSTEM VALUE VALUES ('places', 1, 'table places', '4cb90a6b65ab4d3e01a06d40ca228823965fde9729ec63c41bd3233a9edc7a37', 3, '{slug,name}', '2026-11-25 20:09:28.429223+00');
INSERT INTO compose_init.dataset OVERRIDING SYSTEM VALUE VALUES ('things', 2, 'endpoint /things', '227688addb8cc1bbda7a5c73afceef0160de1958769e80ce63538d050656336e', 2, '{slug,v}', '2026-11-25 20:09:29.060321+00');

INSERT INTO compose_init.format VALUES (5, -4842441792651695367);

INSERT INTO compose_init.intent VALUES (2, -1338416457901819117, '{-1192473049062645467,-1734331526484312361}', '{}');

INSERT INTO compose_init.phase VALUES ('migrate', '{"files": "783917a642439d1d5a2eedd2dc6f8a55792ec631ea54bea6f4b624497198f425", "revisions": ["0001"], "environment": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}', '2026-11-25 20:09:28.17286+00');
INSERT INTO compose_init.phase VALUES ('seed', '{"/seeds/seeds.toml": "sha256:5b738fb781f01157f528c74fb037c1dd30b20fabad3b58d53d9a3d1558e74f65", "/seeds/places.json": "sha256:edb905aad3ad039f53b5041d921d5f6b96e8dd71afa4948e44809a596479e511", "/seeds/things.json": "sha256:c72179153bf753bdd2d517e982ab5229717545520aa69a24c374c62d9e195077"}', '2026-11-25 20:09:29.063037+00');

INSERT INTO compose_init.record VALUES (1, 2603504465203698926, '{2603504465203698926,NULL}', NULL, NULL);
INSERT INTO compose_init.record VALUES (1, 2797561673069918355, '{2797561673069918355,1}', NULL, NULL);
INSERT INTO compose_init.record VALUES (1, 2975203166082433106, '{2975203166082433106,1998039621056333383}', NULL, NULL);
INSERT INTO compose_init.record VALUES (2, -1338416457901819117, '{-1192473049062645467,-1734331526484312361}', NULL, '{}');
INSERT INTO compose_init.record VALUES (2, 1540097446178381266, '{-2485122873551181543,-3303996932733878079}', '{NULL,3193550213608779603}', '{}');

INSERT INTO compose_init.revision VALUES ('0001', '{}', '{}', 'Revision 0001.', '1.4.0', '6f1c2ab', false, false, '2026-11-25 20:09:28.100389+00', 0.012);

INSERT INTO compose_init.run OVERRIDING SYSTEM VALUE VALUES (1, '2026-11-25 20:09:26.038455+00', '2026-11-25 20:09:29.074143+00', '0.1.0', 'done', 0, '{"phases": [{"name": "wait", "seconds": 0.016}, {"name": "migrate", "seconds": 1.317}, {"name": "seed", "seconds": 0.875}], "outcome": "done", "seconds": 3.027, "datasets": [{"left": 0, "name": "places", "target": "table places", "created": 3, "deleted": 0, "drifted": 0, "updated": 0, "conflicts": 0, "unchanged": 0, "unconfirmed": 0}, {"left": 0, "name": "things", "target": "endpoint /things", "created": 2, "deleted": 0, "drifted": 0, "updated": 0, "not_kept": ["slug b: v"], "conflicts": 0, "unchanged": 0, "unconfirmed": 1}], "exit_code": 0, "migrations": [{"file": "0001.py", "message": "Revision 0001.", "seconds": 0.02, "revision": "0001"}]}');

INSERT INTO compose_init.source VALUES (1, 0, '\x90bfb3aa913641f86c729c40a799c0c4faeb9befdf17ad6d', '\x294a0b8428f6005226d2ef850094789324218184639c1cee');

SELECT pg_catalog.setval('compose_init.dataset_id_seq', 2, true);

SELECT pg_catalog.setval('compose_init.run_id_seq', 1, true);

ALTER TABLE ONLY compose_init.dataset
    ADD CONSTRAINT dataset_id_key UNIQUE (id);

ALTER TABLE ONLY compose_init.dataset
    ADD CONSTRAINT dataset_pkey PRIMARY KEY (name);

ALTER TABLE ONLY compose_init.format
    ADD CONSTRAINT format_pkey PRIMARY KEY (version);

ALTER TABLE ONLY compose_init.intent
    ADD CONSTRAINT intent_pkey PRIMARY KEY (dataset_id, id);

ALTER TABLE ONLY compose_init.phase
    ADD CONSTRAINT phase_pkey PRIMARY KEY (name);

ALTER TABLE ONLY compose_init.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (dataset_id, id);

ALTER TABLE ONLY compose_init.revision
    ADD CONSTRAINT revision_pkey PRIMARY KEY (revision);

ALTER TABLE ONLY compose_init.run
    ADD CONSTRAINT run_pkey PRIMARY KEY (id);

ALTER TABLE ONLY compose_init.source
    ADD CONSTRAINT source_pkey PRIMARY KEY (dataset_id, batch);
