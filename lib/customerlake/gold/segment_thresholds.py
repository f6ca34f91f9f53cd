"""What the rules of gold.segment_rules hold a customer against."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """What the rules hold a customer against. Shares are 0..1; hours are those of the clocks of `time_zone`."""

    age_borders: tuple[int, ...] = (18, 25, 35, 45, 55, 65)  # years at which a band begins
    middle_income: tuple[float, float] = (0.75, 2.0)  # of the median
    income_fence: float = 3.0  # distances between the quartiles, of logarithms
    large_city: float = 0.05  # of the customers whose city is known
    medium_city: float = 0.01
    heavy_spend: float = 0.8  # at or above what this share of buyers spends
    medium_spend: float = 0.5
    interests: int = 3  # at most
    least_interest: float = 0.1
    no_interests: tuple[str, ...] = ("other",)  # categories that say nothing of a person
    regular_purchase_days: int = 4
    regular_every_days: float = 90.0
    discount_depth: float = 0.05  # below the usual price
    discount_seeker: float = 0.5
    campaign_days: int = 14  # of a campaign without a last day
    returner: float = 0.1
    main_channel: float = 0.7
    weekend: float = 0.5
    dayparts: tuple[int, int, int, int] = (5, 12, 17, 22)  # hours at which morning, afternoon, evening, night begin
    habit_orders: int = 2  # fewer make no preference


THRESHOLDS = Thresholds()
