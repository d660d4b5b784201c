-- That a goal is shared is an event of it, so that its coaches are told once.
alter type public.goal_event_kind add value if not exists 'SHARED';
