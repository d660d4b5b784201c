-- What everybody can achieve from the start; ADMINs may change these, and what is there already stays.
insert into public.achievement_definition (code, title, description, type, metric, operator, threshold, "window", streak) values
  ('first_session', 'First session', 'Took a first session.', 'LEARNING', 'SESSIONS_AS_MENTEE', 'AT_LEAST', 1, 'ALL_TIME', null),
  ('ten_sessions', 'Ten sessions', 'Took ten sessions.', 'LEARNING', 'SESSIONS_AS_MENTEE', 'AT_LEAST', 10, 'ALL_TIME', null),
  ('fifty_sessions', 'Fifty sessions', 'Took fifty sessions.', 'LEARNING', 'SESSIONS_AS_MENTEE', 'AT_LEAST', 50, 'ALL_TIME', null),
  ('hundred_sessions', 'A hundred sessions', 'Took a hundred sessions.', 'LEARNING', 'SESSIONS_AS_MENTEE', 'AT_LEAST', 100, 'ALL_TIME', null),
  ('ten_hours_learned', 'Ten hours learned', 'Spent ten hours in sessions.', 'LEARNING', 'HOURS_AS_MENTEE', 'AT_LEAST', 10, 'ALL_TIME', null),
  ('busy_month', 'A busy month', 'Took four sessions within a calendar month.', 'LEARNING', 'SESSIONS_AS_MENTEE', 'AT_LEAST', 4, 'MONTH', null),
  ('first_review_written', 'First review', 'Said what a session was worth.', 'LEARNING', 'REVIEWS_WRITTEN', 'AT_LEAST', 1, 'ALL_TIME', null),
  ('first_session_coached', 'First session coached', 'Gave a first session.', 'MILESTONE', 'SESSIONS_AS_COACH', 'AT_LEAST', 1, 'ALL_TIME', null),
  ('ten_sessions_coached', 'Ten sessions coached', 'Gave ten sessions.', 'MILESTONE', 'SESSIONS_AS_COACH', 'AT_LEAST', 10, 'ALL_TIME', null),
  ('fifty_sessions_coached', 'Fifty sessions coached', 'Gave fifty sessions.', 'MILESTONE', 'SESSIONS_AS_COACH', 'AT_LEAST', 50, 'ALL_TIME', null),
  ('hundred_sessions_coached', 'A hundred sessions coached', 'Gave a hundred sessions.', 'MILESTONE', 'SESSIONS_AS_COACH', 'AT_LEAST', 100, 'ALL_TIME', null),
  ('hundred_hours_coached', 'A hundred hours coached', 'Gave a hundred hours of sessions.', 'MILESTONE', 'HOURS_AS_COACH', 'AT_LEAST', 100, 'ALL_TIME', null),
  ('first_review_received', 'First review received', 'Was reviewed for the first time.', 'MILESTONE', 'REVIEWS_RECEIVED', 'AT_LEAST', 1, 'ALL_TIME', null),
  ('five_star_streak', 'Five stars, ten times', 'Received ten reviews of five stars in a row.', 'PERFORMANCE', 'RATING_RECEIVED', 'AT_LEAST', 5, 'ALL_TIME', 10),
  ('coach_of_the_year', 'A hundred in a year', 'Gave a hundred sessions within a calendar year.', 'PERFORMANCE', 'SESSIONS_AS_COACH', 'AT_LEAST', 100, 'YEAR', null),
  ('first_goal', 'First goal', 'Completed a first goal.', 'MILESTONE', 'GOALS_COMPLETED', 'AT_LEAST', 1, 'ALL_TIME', null),
  ('ten_goals', 'Ten goals', 'Completed ten goals.', 'MILESTONE', 'GOALS_COMPLETED', 'AT_LEAST', 10, 'ALL_TIME', null),
  ('first_referral', 'First referral', 'Invited a first person who took a paid session.', 'MILESTONE', 'REFERRALS_REWARDED', 'AT_LEAST', 1, 'ALL_TIME', null),
  ('ten_referrals', 'Ten referrals', 'Invited ten people who took a paid session.', 'MILESTONE', 'REFERRALS_REWARDED', 'AT_LEAST', 10, 'ALL_TIME', null)
on conflict on constraint achievement_definition_code_key do nothing;
