"""The words about referrals; `texts` has those of everything else, and says what stands in braces."""

from coachline.notifications.text import Text

REWARDS = ("Open your rewards", "/referrals/rewards")

REFERRALS = {
    "referral_rewarded": Text(
        "Your reward of {reward} is here",
        "A referral has earned you {reward} of credit.",
        ("It is taken off the price of your next session by itself.",),
        (("Credit", "{reward}"),),
        REWARDS,
    ),
    "referral_rejected": Text(
        "A referral earns no reward",
        "One of your referrals does not meet the terms, so it earns no reward.",
        ("If you think that is a mistake, reply to this e-mail.",),
        (),
        REWARDS,
    ),
    "referral_clawed_back": Text(
        "A reward was taken back",
        "The session behind one of your rewards is no longer paid, or the referral did not meet the terms.",
        ("What of it you have spent is taken from the credit that comes next, and never asked for in money.",),
        (("Credit", "{reward}"),),
        REWARDS,
    ),
    "referral_flagged": Text(
        "A referral waits for a decision",
        "Both sides of a referral may be one person. It earns nothing until an administrator has decided.",
        (),
        (("Signs", "{flags}"),),
        ("Open the review", "/admin/referrals?review=PENDING"),
    ),
}
