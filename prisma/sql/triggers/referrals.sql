-- How a referral may move, whoever writes it.
create or replace function private.hold_referral_machine() returns trigger
language plpgsql set search_path = '' as $$
begin
  if not (case old.status::text
    when 'SIGNED_UP' then new.status::text in ('QUALIFIED', 'REJECTED', 'EXPIRED')
    when 'QUALIFIED' then new.status::text in ('SIGNED_UP', 'REWARDED', 'REJECTED')
    when 'REWARDED' then new.status::text = 'REJECTED'
    else false end) then
    raise exception using errcode = '23514', message = format('A referral that is %s cannot become %s.', old.status, new.status);
  end if;
  return new;
end $$;
drop trigger if exists machine on private.referral;
create trigger machine before update of status on private.referral for each row
  when (old.status is distinct from new.status) execute function private.hold_referral_machine();
