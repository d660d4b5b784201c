-- Who may do what. A user's permissions are the union over his roles; docs and tests read this table.
delete from private.role_permission;
insert into private.role_permission (role, permission)
select r.role::public.role_name, p.permission from (values
  ('user:read', '{MENTEE,COACH,ADMIN}'::text[]),
  ('user:update', '{MENTEE,COACH,ADMIN}'),
  ('member:read', '{MENTEE,COACH,ADMIN}'),
  ('member:update', '{MENTEE,COACH,ADMIN}'),
  ('role:read', '{MENTEE,COACH,ADMIN}'),
  ('role:manage', '{ADMIN}'),
  ('role:request', '{MENTEE,COACH,ADMIN}'),
  ('role:decide', '{ADMIN}'),
  ('role:analyse', '{ADMIN}'),
  ('account:read', '{ADMIN}'),
  ('account:manage', '{ADMIN}'),
  ('audit:read', '{ADMIN}'),
  ('webhook_event:read', '{ADMIN}'),
  ('webhook_event:replay', '{ADMIN}'),
  ('coach_profile:read', '{COACH}'),
  ('coach_profile:manage', '{COACH}'),
  ('coach_metrics:read', '{COACH,ADMIN}'),
  ('review:write', '{MENTEE}'),
  ('review:moderate', '{ADMIN}'),
  ('metrics:read', '{MENTEE,COACH,ADMIN}'),
  ('availability:read', '{COACH,ADMIN}'),
  ('availability:manage', '{COACH}'),
  ('slot:read', '{MENTEE,COACH,ADMIN}'),
  ('session:read', '{MENTEE,COACH,ADMIN}'),
  ('session:book', '{MENTEE}'),
  ('session:cancel', '{MENTEE,COACH,ADMIN}'),
  ('session:reschedule', '{MENTEE,COACH,ADMIN}'),
  ('session:complete', '{COACH,ADMIN}'),
  ('session:report_no_show', '{MENTEE,COACH,ADMIN}')
) p (permission, roles) cross join lateral unnest(p.roles) r (role);
