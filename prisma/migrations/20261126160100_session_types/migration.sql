-- What a session is about: as the event type of Calendly's is mapped that it was booked by, otherwise coaching.
alter table public.session add column type text not null default 'COACHING';
alter table public.session add constraint session_type_check check (type in ('COACHING', 'INTRODUCTION', 'FOLLOW_UP'));
update public.session s set type = e.session_type
from private.calendly_booking b join private.calendly_event_type e on e.uri = b.event_type_uri and e.coach_id = b.coach_id
where b.session_id = s.id and e.session_type is not null and e.session_type <> s.type;

-- From the first start to the last end that Zoom has told of, in minutes; null until an end is known.
alter table private.meeting add column actual_minutes integer;
alter table private.meeting add constraint meeting_actual_minutes_check check (actual_minutes >= 0);
update private.meeting m set actual_minutes = greatest(0, round(extract(epoch from i.ended - i.started) / 60))
from (select session_id, min(started_at) as started, max(ended_at) as ended from private.meeting_instance group by session_id) i
where i.session_id = m.session_id and i.started is not null and i.ended is not null;
