"""The words of every type: one source for the app, for e-mails in text and for e-mails in HTML.

In braces stand names of `values.values_of`. A fact whose value is empty is left out. `action`: the label of the
link and where it leads on the web front end.
"""

from coachline.notifications import giving_back_texts
from coachline.notifications.referral_texts import REFERRALS
from coachline.notifications.text import Text

SESSION = ("Open the session", "/sessions/{sessionId}")
WHEN = ("When", "{when}")
WITH = ("With", "{other}")
GOAL = ("Open the goal", "/goals/{goalId}")
PROGRESS = ("Progress", "{progress}")
ACHIEVEMENTS = ("Your achievements", "/achievements")
BILLING = ("Open billing", "/billing")

TEXTS = (
    REFERRALS
    | giving_back_texts.TEXTS
    | {
        "session_scheduled": Text(
            "Booked: {other}, {shortWhen}",
            "Your session with {other} is booked.",
            ("The invitation for your calendar is attached.",),
            (WHEN, WITH, ("Price", "{price}")),
            SESSION,
        ),
        "session_rescheduled": Text(
            "Moved: {other}, now {shortWhen}",
            "Your session with {other} has a new time.",
            ("The attached invitation moves it in your calendar.",),
            (("Now", "{when}"), ("Before", "{previousWhen}"), WITH),
            SESSION,
        ),
        "session_cancelled": Text(
            "Cancelled: {other}, {shortWhen}",
            "Your session with {other} was cancelled by {actor}.",
            ("The attached message takes it out of your calendar.",),
            (WHEN, WITH, ("Refund", "{refund}")),
            SESSION,
        ),
        "session_expired": Text(
            "Not booked: {other}, {shortWhen}",
            "The slot with {other} was held for you until it was paid, and the time for that ran out.",
            ("The slot is free again. If you still want it, book it once more.",),
            (WHEN, WITH),
            ("Book again", "/coaches/{coachId}"),
        ),
        "session_reminder": Text(
            "Reminder: {other}, {shortWhen}",
            "Your session with {other} begins in {ahead}.",
            (),
            (WHEN, WITH),
            SESSION,
        ),
        "session_completed": Text(
            "How was your session with {other}?",
            "Your session with {other} is complete.",
            ("A review takes a minute and helps the next agent choose.",),
            (WHEN,),
            ("Write a review", "/sessions/{sessionId}/review"),
        ),
        "session_no_show": Text(
            "Missed: {other}, {shortWhen}",
            "The session with {other} was closed because {absent} did not come.",
            ("If that is wrong, reply to this e-mail.",),
            (WHEN, WITH, ("Refund", "{refund}")),
            SESSION,
        ),
        "meeting_ready": Text(
            "Ready to meet: {other}, {shortWhen}",
            "The meeting for your session with {other} is set up.",
            ("The link opens from the session's page shortly before it begins.",),
            (WHEN, WITH),
            SESSION,
        ),
        "meeting_failed": Text(
            "No meeting yet: {other}, {shortWhen}",
            "Zoom refused to set up the meeting for your session with {other}.",
            ("The session itself stands. Send your mentee a link of your own, or reply to this e-mail for help.",),
            (WHEN, WITH),
            SESSION,
        ),
        "review_posted": Text(
            "A new review: {rating} of 5 stars",
            "{mentee} gave your session {rating} of 5 stars.",
            (),
            (),
            ("Read the review", "/coaches/{coachId}"),
        ),
        "calendly_clash": Text(
            "Calendly booking clashes, {shortWhen}",
            "A booking that came from Calendly clashes with something else in your calendar.",
            ("It was kept, and nothing else was moved. Please decide which of the two takes place.",),
            (WHEN, ("Why", "{detail}")),
            ("Open your calendar", "/calendar"),
        ),
        "calendly_guest": Text(
            "Booked at Calendly by a guest, {shortWhen}",
            "Somebody who has no account here has booked you at Calendly.",
            ("Your time is taken. It becomes a session once that person signs up with the address given at Calendly.",),
            (WHEN,),
            ("Open your calendar", "/calendar"),
        ),
        "calendly_mismatch": Text(
            "Calendly booking is no session yet, {shortWhen}",
            "A booking that came from Calendly has a length that none of your sessions here can have.",
            ("Your time is taken. Change the lengths that your profile allows, and it becomes a session.",),
            (WHEN,),
            ("Open your event types", "/settings/integrations"),
        ),
        "calendly_flagged": Text(
            "Calendly booking outside your hours, {shortWhen}",
            "A booking that came from Calendly could not have been made here.",
            ("It was kept as a session. If it should not take place, cancel it.",),
            (WHEN, ("Why", "{breaks}")),
            SESSION,
        ),
        "calendly_reconnect": Text(
            "Calendly has to be connected again",
            "Calendly no longer accepts our access to your calendar.",
            ("Until you connect it again, bookings made there are not seen here, and the other way round.",),
            (),
            ("Connect Calendly", "/settings/integrations"),
        ),
        "goal_reminder": Text(
            "Due in {left}: {title}",
            "Your goal “{title}” is due in {left}.",
            ("What you have done and not entered yet counts as soon as you enter it.",),
            (PROGRESS, ("Deadline", "{deadline}")),
            GOAL,
        ),
        "goal_overdue": Text(
            "Deadline passed: {title}",
            "The deadline of your goal “{title}” has passed.",
            ("What was done in time still counts when you enter it. If you need longer, move the deadline.",),
            (PROGRESS, ("Deadline", "{deadline}")),
            GOAL,
        ),
        "goal_completed": Text(
            "Reached: {title}",
            "You have reached your goal “{title}”.",
            ("Well done. What comes next?",),
            (PROGRESS,),
            GOAL,
        ),
        "goal_milestone": Text(
            "Milestone reached: {title}",
            "You have reached {milestone} on the way to your goal “{title}”.",
            (),
            (PROGRESS, ("Deadline", "{deadline}")),
            GOAL,
        ),
        "goal_shared": Text(
            "{user} shares a goal with you",
            "{user} lets you follow a goal and what comes of it.",
            (),
            (),
            GOAL,
        ),
        "achievement_granted": Text(
            "Achieved: {title}",
            "You have earned the achievement “{title}”.",
            (),
            (("What for", "{description}"), ("Period", "{period}")),
            ACHIEVEMENTS,
        ),
        "achievement_revoked": Text(
            "Taken back: {title}",
            "An administrator has taken back your achievement “{title}”.",
            ("If you think that is a mistake, reply to this e-mail.",),
            (("What for", "{description}"), ("Period", "{period}")),
            ACHIEVEMENTS,
        ),
        "trial_ending": Text(
            "Your trial is about to end",
            "Your trial is about to end.",
            ("To go on, have a payment method on file. To stop, cancel the subscription on the billing page.",),
            (("Ends", "{endsAt}"),),
            BILLING,
        ),
        "payment_failed": Text(
            "A payment did not go through",
            "We could not collect a payment from your payment method.",
            ("Please check the card, or add another one.",),
            (("Amount", "{amountDue}"), ("Next attempt", "{nextAttempt}")),
            BILLING,
        ),
        "payment_returned": Text(
            "Your bank did not pay: {amount}",
            "Your bank has refused the payment for your session with {other}.",
            ("Please pay in another way by then. The session is kept for you until that time, and not longer.",),
            (("Amount", "{amount}"), ("Pay by", "{dueBy}")),
            SESSION,
        ),
        "invoice_overdue": Text(
            "Invoice {number} is overdue",
            "The invoice {number} for {amountDue} has not been paid yet.",
            ("Please pay it from the billing page. If you have paid it in the last few days, there is nothing to do.",),
            (("Amount", "{amountDue}"), ("Was due", "{dueAt}")),
            BILLING,
        ),
        "session_invoice_failed": Text(
            "An invoice of sessions could not be sent",
            "Stripe has refused the monthly invoice of a mentee's sessions three times. It is tried again every day.",
            ("Its sessions stay on it. Once the reason is gone, the next attempt sends it.",),
            (("Mentee", "{mentee}"), ("Coach", "{coach}"), ("Invoice", "{invoiceId}"), ("Reason", "{code}")),
            ("Open billing", "/admin/billing"),
        ),
        "card_expiring": Text(
            "Your card is about to expire",
            "The card that pays for your account is about to expire.",
            ("Add a new one before then, and nothing is interrupted.",),
            (("Valid until the end of", "{expires}"),),
            BILLING,
        ),
        "subscription_changed": Text(
            "Your subscription is now {after}",
            "The status of your subscription changed to {after}.",
            (),
            (("Before", "{before}"), ("Now", "{after}")),
            BILLING,
        ),
        "payouts_ready": Text(
            "You can be paid now",
            "Stripe has checked your account: what you earn can be paid out to you.",
            (),
            (),
            ("Open your payouts", "/payouts"),
        ),
        "payouts_restricted": Text(
            "Your payouts are stopped",
            "Stripe needs something from you before it pays out what you earn.",
            ("Until then your sessions go on, and what you earn waits for you.",),
            (),
            ("See what is missing", "/payouts"),
        ),
        "role_requested": Text(
            "{user} applies for the role of {role}",
            "{user} asks for the role of {role}, and an administrator has to decide.",
            (),
            (),
            ("Open applications", "/admin/role-requests"),
        ),
        "role_request_approved": Text(
            "Your application was approved",
            "You now have the role of {role}.",
            ("It counts from the next page you open.",),
            (("Note", "{reason}"),),
            ("Open Coachline", "/"),
        ),
        "role_request_rejected": Text(
            "Your application was not approved",
            "Your application for the role of {role} was not approved.",
            ("You may apply again once that has changed.",),
            (("Reason", "{reason}"),),
            ("Your applications", "/settings/roles"),
        ),
        "roles_changed": Text(
            "Your roles were changed",
            "An administrator changed the roles of your account.",
            ("If you did not expect this, reply to this e-mail.",),
            (("Before", "{before}"), ("Now", "{after}"), ("Reason", "{reason}")),
            ("Your roles", "/settings/roles"),
        ),
        "account_reactivated": Text(
            "Your account is active again",
            "Your account was reactivated, and you can sign in as before.",
            (),
            (),
            ("Open Coachline", "/"),
        ),
        "member_import_finished": Text(
            "Your import of members is finished",
            "{imported}",
            (),
            (("New members", "{created}"), ("Updated", "{updated}"), ("Rows with faults", "{invalid}")),
            ("Open the import", "/members/import/{importId}"),
        ),
    }
)
