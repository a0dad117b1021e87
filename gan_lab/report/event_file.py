"""TensorBoard's event file of one candidate, as bytes: curves, pictures, layout and hyperparameters.

The format is that of ``tensorboard.summary.writer``: records with checksums, each a protocol buffer.
Imports no torch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.plugins.custom_scalar import layout_pb2
from tensorboard.plugins.custom_scalar.metadata import CONFIG_SUMMARY_TAG
from tensorboard.plugins.hparams import summary_v2 as hparams
from tensorboard.plugins.hparams.api_pb2 import Status
from tensorboard.plugins.hparams.metadata import SESSION_END_INFO_TAG, create_summary_metadata
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData, SessionEndInfo
from tensorboard.summary.writer.record_writer import RecordWriter

Band = tuple[str, str, str]  # tags of the middle, the lower and the upper end


@dataclass(frozen=True)
class Chart:
    """A chart of the CUSTOM SCALARS tab: bands, or curves whose tags match a regular expression."""

    title: str
    bands: Sequence[Band] = ()
    tags: str = ""


@dataclass(frozen=True)
class EventFile:
    """What one run of TensorBoard shows.

    name: of its row in HPARAMS; scalars: step -> tag -> value; pictures: step -> PNG; layout: category ->
    charts; columns: what its row says beside the scores; scores: tag -> title; ended: None while it trains,
    else whether all went well; started, seconds_per_step: of the curves' time axis.
    """

    name: str
    scalars: Mapping[int, Mapping[str, float]]
    pictures: Mapping[int, bytes] = field(default_factory=dict)
    layout: Mapping[str, Sequence[Chart]] = field(default_factory=dict)
    columns: Mapping[str, str | float] = field(default_factory=dict)
    scores: Mapping[str, str] = field(default_factory=dict)
    ended: bool | None = None
    started: float = 0.0
    seconds_per_step: float = 0.0

    def encode(self) -> bytes:
        buffer = BytesIO()
        records = RecordWriter(buffer)
        for event in self._events():
            records.write(event.SerializeToString())
        return buffer.getvalue()

    def _events(self) -> Iterable[Event]:
        yield Event(wall_time=self.started, file_version="brain.Event:2")
        # Whatever an earlier file of the folder has is dropped.
        yield Event(wall_time=self.started, step=0, session_log=SessionLog(status=SessionLog.START))
        for summary in (self._layout(), *self._hyperparameters()):
            yield Event(wall_time=self.started, step=0, summary=summary)
        for step in sorted({*self.scalars, *self.pictures}):
            values = [
                Summary.Value(tag=tag, simple_value=value)
                for tag, value in self.scalars.get(step, {}).items()
            ]
            if step in self.pictures:
                image = Summary.Image(encoded_image_string=self.pictures[step], colorspace=3)
                values.append(Summary.Value(tag="samples", image=image))
            wall_time = self.started + step * self.seconds_per_step
            yield Event(wall_time=wall_time, step=step, summary=Summary(value=values))

    def _layout(self) -> Summary:
        categories = [
            layout_pb2.Category(title=title, chart=[_chart(chart) for chart in charts])
            for title, charts in self.layout.items()
        ]
        tensor = TensorProto(
            dtype="DT_STRING",
            string_val=[layout_pb2.Layout(category=categories).SerializeToString()],
            tensor_shape=TensorShapeProto(),
        )
        metadata = SummaryMetadata(plugin_data=SummaryMetadata.PluginData(plugin_name="custom_scalars"))
        return Summary(value=[Summary.Value(tag=CONFIG_SUMMARY_TAG, tensor=tensor, metadata=metadata)])

    def _hyperparameters(self) -> Iterable[Summary]:
        metrics = [hparams.Metric(tag, display_name=title) for tag, title in self.scores.items()]
        columns = [hparams.HParam(name) for name in self.columns]
        yield hparams.hparams_config_pb(columns, metrics, time_created_secs=self.started)
        yield hparams.hparams_pb(dict(self.columns), self.name, start_time_secs=self.started)
        if self.ended is not None:
            status = Status.STATUS_SUCCESS if self.ended else Status.STATUS_FAILURE
            info = HParamsPluginData(session_end_info=SessionEndInfo(status=status))
            metadata = create_summary_metadata(info)
            yield Summary(value=[Summary.Value(tag=SESSION_END_INFO_TAG, metadata=metadata)])


def _chart(chart: Chart) -> layout_pb2.Chart:
    if chart.tags:
        lines = layout_pb2.MultilineChartContent(tag=[chart.tags])
        return layout_pb2.Chart(title=chart.title, multiline=lines)
    series = [
        layout_pb2.MarginChartContent.Series(value=middle, lower=lower, upper=upper)
        for middle, lower, upper in chart.bands
    ]
    return layout_pb2.Chart(title=chart.title, margin=layout_pb2.MarginChartContent(series=series))
