-- Values that a column's type does not accept. {…} are from the catalog.

-- name: function
-- For one record: [field, SQLSTATE, message, constraint] of each field that its column does not take.
CREATE OR REPLACE FUNCTION pg_temp.type_errors(document jsonb) RETURNS jsonb LANGUAGE plpgsql AS {body};

-- name: function_body
DECLARE
  faults jsonb := '[]';
  message text;
  constraint_name text;
BEGIN
  {fields}
  RETURN faults;
END

-- name: function_field
  IF document ? {name} THEN
    BEGIN
      PERFORM count(row_to_json(p.*)) FROM jsonb_to_record(document) AS p ({typed});
    EXCEPTION WHEN OTHERS THEN
      GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, constraint_name = CONSTRAINT_NAME;
      faults := faults || jsonb_build_array(jsonb_build_array({name}, SQLSTATE, message, constraint_name));
    END;
  END IF;

-- name: type_errors
SELECT r.position, m.found, sum(jsonb_array_length(m.found)) OVER ()
FROM pg_temp.source_records r CROSS JOIN LATERAL (SELECT pg_temp.type_errors(r.document) AS found OFFSET 0) m
WHERE m.found <> '[]'
ORDER BY r.position LIMIT %(limit)s;

-- name: enum_labels
-- The values of an enum, or of the enum that an array has.
SELECT e.enumlabel FROM pg_attribute a
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_enum e ON e.enumtypid IN (t.oid, t.typelem, t.typbasetype)
WHERE a.attrelid = to_regclass(%(table)s) AND a.attname = %(column)s
ORDER BY e.enumsortorder;

-- name: domain_constraint
-- Of the column's own domain first: a domain may be made of another, and names are not unique.
SELECT pg_get_constraintdef(oid) FROM pg_constraint
WHERE contypid <> 0 AND conname = %(name)s
ORDER BY contypid = to_regtype(%(type)s) DESC NULLS LAST LIMIT 1;
