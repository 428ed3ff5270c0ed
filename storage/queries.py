"""What a researcher asks of the rows of all angles: which are worst, what has changed, which profile does best.

Every question takes and returns lazy rows of `storage.reports.REPORT_SCHEMA`, so that only the columns it needs are
read. Only the chosen attempt at an angle counts. A figure that is missing, or no number, is null and comes last.
"""

import polars as pl

_SHARE = ("share_passed", "share_passed_low", "share_passed_high")
_SCORE = ("mean_order_score", "order_score_low", "order_score_high")
_SCENE = ("project", "sequence", "scene")
_MEASURES = ("order_score", "camera_error_deg", "colour_distance")
_Z = 1.959963984540054
"""Half of a 95 % interval, in standard deviations."""
_T_OF_FEW = {1: 12.706205, 2: 4.302653, 3: 3.182446, 4: 2.776445}
"""The same for this many degrees of freedom, where the series below is not good enough."""


def find_worst(angles: pl.LazyFrame, limit: int = 20, *, is_latest_only: bool = True) -> pl.LazyFrame:
    """Return the worst angles: those that failed first, then by ascending order score; of each scene's latest version.

    Of all its versions otherwise, so that a picture that is carried on is found as often.
    """
    chosen = _chosen(angles)
    if is_latest_only:
        chosen = chosen.filter(_is_latest(*_SCENE))
    is_unjudged = pl.col("verdict").is_null() & pl.col("order_score").is_null()
    order = [(pl.col("verdict") == "fail").fill_null(value=False).not_(), is_unjudged, pl.col("order_score")]
    columns = (*_SCENE, "version", "angle", "verdict", "order_score", "reasons", "profile", "training")
    return chosen.select(columns).sort([*order, *_SCENE, "version", "angle"], nulls_last=True).head(limit)


def find_drift(angles: pl.LazyFrame, limit: int = 20, *, scene: str | None = None) -> pl.LazyFrame:
    """Return what changed from one version of an angle to the next that has it, the largest loss of order score first.

    Changes are new less old: a negative one of `order_score` is a loss, a negative one of the others a gain.
    """
    rows = _chosen(angles).filter(pl.col("version").is_not_null())
    if scene is not None:
        rows = rows.filter(pl.col("scene") == scene)
    identity = [*_SCENE, "angle"]
    rows = rows.with_columns(_number(*identity), pl.col("picture_sha256").hash()).sort("_number", "version")
    before = pl.col("training").shift()
    pairs = rows.select(
        *identity,
        pl.col("version").shift().alias("from_version"),
        pl.col("version").alias("to_version"),
        *(pl.col(name).diff().alias(f"{name}_change") for name in _MEASURES),
        *(pl.col(name).shift().alias(f"from_{name}") for name in ("verdict", "profile")),
        *(pl.col(name).alias(f"to_{name}") for name in ("verdict", "profile")),
        (pl.col("picture_sha256") != pl.col("picture_sha256").shift()).alias("is_other_picture"),
        pl.when(before == "trained").then("training").otherwise(before).alias("training"),
        (pl.col("_number") == pl.col("_number").shift()).alias("_is_same"),
    )
    order = ["order_score_change", *identity, "from_version"]
    return pairs.filter("_is_same").drop("_is_same").sort(order, nulls_last=True).head(limit)


def rank_profiles(angles: pl.LazyFrame) -> pl.LazyFrame:
    """Return one row per profile and training: angles, share passed, order score and time, the best first.

    A picture counts once, in the latest version that shows it, however many carry it on. `share_passed` is of the
    judged ones, with Wilson's 95 % interval. The mean order score is that of the scenes' means, with the 95 % interval
    of Student's t over scenes, because angles of a scene share its master.
    """
    seconds = pl.sum_horizontal(pl.col(f"{stage}_s") for stage in ("encode", "sample", "decode", "store"))
    pictures = _chosen(angles).select(
        *_SCENE,
        "angle",
        "version",
        "profile",
        "training",
        "verdict",
        "order_score",
        "fingerprint",
        pl.when(pl.col("sample_s").is_not_null()).then(seconds).alias("seconds"),
    )
    pictures = pictures.with_columns(_number(*_SCENE, "angle", "fingerprint")).filter(_is_latest("_number"))
    group = ["profile", "training"]
    scenes = pictures.group_by(*group, *_SCENE).agg(pl.col("order_score").mean())
    scores = scenes.group_by(group).agg(
        pl.col("order_score").mean().alias("mean_order_score"),
        pl.col("order_score").std().alias("_spread"),
        pl.col("order_score").count().alias("num_scenes"),
    )
    totals = pictures.group_by(group).agg(
        pl.len().alias("num_angles"),
        pl.col("verdict").count().alias("num_judged"),
        (pl.col("verdict") == "pass").sum().alias("num_pass"),
        pl.col("seconds").median().alias("median_s"),
    )
    rows = totals.join(scores, on=group, how="left").with_columns(_share_passed(), *_score_interval())
    order = ["share_passed", "mean_order_score"]
    return (
        rows.with_columns(*_wilson_interval())
        .select(*group, "num_angles", "num_judged", *_SHARE, "num_scenes", *_SCORE, "median_s")
        .sort([*order, *group], descending=[True, True, False, False], nulls_last=True)
    )


def _chosen(angles: pl.LazyFrame) -> pl.LazyFrame:
    """Return the attempts that were chosen, also of a time when there was one attempt only."""
    measures = (pl.col(name).fill_nan(None) for name in _MEASURES)
    return angles.filter(pl.col("is_chosen").fill_null(value=True)).with_columns(measures)


def _is_latest(*group: str) -> pl.Expr:
    return pl.col("version").eq_missing(pl.col("version").max().over(group))


def _number(*names: str) -> pl.Expr:
    """Return one number for what has these names, for numbers are compared and sorted several times as fast.

    It is a hash of 64 bits: that two of a million angles share one has a chance of 3 in 100 million.
    """
    return pl.struct(names).hash().alias("_number")


def _share_passed() -> pl.Expr:
    return pl.when(pl.col("num_judged") > 0).then(pl.col("num_pass") / pl.col("num_judged")).alias("share_passed")


def _wilson_interval() -> tuple[pl.Expr, pl.Expr]:
    """Return both ends of the interval of a share (Wilson 1927)."""
    share, count = pl.col("share_passed"), pl.col("num_judged")
    middle = share + _Z**2 / (2 * count)
    half = _Z * (share * (1 - share) / count + _Z**2 / (4 * count**2)).sqrt()
    low, high = (middle - half) / (1 + _Z**2 / count), (middle + half) / (1 + _Z**2 / count)
    return low.clip(0, 1).alias("share_passed_low"), high.clip(0, 1).alias("share_passed_high")


def _score_interval() -> tuple[pl.Expr, pl.Expr]:
    """Return both ends of the interval of a mean; of one scene there is none."""
    freedom = pl.col("num_scenes") - 1
    half = _t_quantile(freedom) * pl.col("_spread") / pl.col("num_scenes").sqrt()
    mean = pl.col("mean_order_score")
    return (mean - half).alias("order_score_low"), (mean + half).alias("order_score_high")


def _t_quantile(freedom: pl.Expr) -> pl.Expr:
    """Return the 0.975 quantile of Student's t; Source: Abramowitz and Stegun, 26.7.5."""
    terms = (
        (_Z**3 + _Z) / 4,
        (5 * _Z**5 + 16 * _Z**3 + 3 * _Z) / 96,
        (3 * _Z**7 + 19 * _Z**5 + 17 * _Z**3 - 15 * _Z) / 384,
        (79 * _Z**9 + 776 * _Z**7 + 1482 * _Z**5 - 1920 * _Z**3 - 945 * _Z) / 92160,
    )
    series = sum((term / freedom.cast(pl.Float64) ** power for power, term in enumerate(terms, start=1)), pl.lit(_Z))
    return freedom.replace_strict(_T_OF_FEW, default=series, return_dtype=pl.Float64)
