# What an application in Python does with a broker, by Eclipse Paho. Prints one line of JSON for each message that arrives.
# Arguments: port, transport (tcp or websockets), protocol level (3, 4 or 5).

import json
import queue
import sys

from paho.mqtt.client import Client
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

LIMIT_SECONDS = 10
port, transport, level = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
place = f"paho/{transport}/{level}"


class Connected:
    """A client that is connected; what happens to it stands in queues."""

    def __init__(self, name, lasting=False, will=None):
        self.messages, self.connacks, self.subacks = queue.Queue(), queue.Queue(), queue.Queue()
        clean = {} if level == 5 else {"clean_session": not lasting}
        self.client = Client(f"{name}-{transport}-{level}", protocol=level, transport=transport, **clean)
        self.client.on_connect = lambda client, userdata, flags, *rest: self.connacks.put(flags)
        self.client.on_subscribe = lambda *arguments: self.subacks.put(True)
        self.client.on_message = lambda client, userdata, message: self.messages.put(message)
        if will:
            self.client.will_set(will, "gone", qos=1)
        options = {}
        if level == 5:
            options = {"clean_start": not lasting, "properties": Properties(PacketTypes.CONNECT)}
            if lasting:
                options["properties"].SessionExpiryInterval = 3600
        self.client.connect("127.0.0.1", port, **options)
        self.client.loop_start()
        self.session_present = self.connacks.get(timeout=LIMIT_SECONDS)["session present"]

    def subscribe(self, topic_filter, qos):
        self.client.subscribe(topic_filter, qos)
        self.subacks.get(timeout=LIMIT_SECONDS)

    def publish(self, topic, payload, qos, retain=False, properties=None):
        self.client.publish(topic, payload, qos, retain, properties).wait_for_publish(LIMIT_SECONDS)

    def report(self, count):
        for _ in range(count):
            message = self.messages.get(timeout=LIMIT_SECONDS)
            report = [message.topic[len(place) + 1:], message.payload.decode(), message.qos, bool(message.retain)]
            print(json.dumps(report))

    def disconnect(self):
        self.client.disconnect()
        self.client.loop_stop()


def every_qos():
    reader = Connected("reader")
    reader.subscribe(f"{place}/qos/+", 2)
    for qos in range(3):
        reader.publish(f"{place}/qos/{qos}", "text", qos)
    reader.report(3)
    reader.disconnect()


def retained():
    client = Connected("retained")
    client.publish(f"{place}/retained", "kept", 1, retain=True)
    client.subscribe(f"{place}/retained", 1)
    client.report(1)
    client.disconnect()


def will():
    reader = Connected("reader")
    reader.subscribe(f"{place}/will", 1)
    lost = Connected("lost", will=f"{place}/will")
    lost.client.loop_stop()
    lost.client.socket().close()
    reader.report(1)
    reader.disconnect()


def lasting():
    first = Connected("lasting", lasting=True)
    first.subscribe(f"{place}/missed", 2)
    first.disconnect()
    writer = Connected("writer")
    for qos in (1, 2):
        writer.publish(f"{place}/missed", "text", qos)
    writer.disconnect()
    again = Connected("lasting", lasting=True)
    print(json.dumps(["session present", bool(again.session_present)]))
    again.report(2)
    again.disconnect()


def properties():
    reader = Connected("reader")
    reader.subscribe(f"{place}/properties", 1)
    sent = Properties(PacketTypes.PUBLISH)
    sent.ContentType = "text/plain"
    sent.ResponseTopic = "answers"
    sent.CorrelationData = b"abc"
    sent.UserProperty = ("colour", "red")
    reader.publish(f"{place}/properties", "text", 1, properties=sent)
    got = reader.messages.get(timeout=LIMIT_SECONDS).properties
    print(json.dumps([got.ContentType, got.ResponseTopic, got.CorrelationData.decode(), got.UserProperty]))
    reader.disconnect()


every_qos()
retained()
will()
lasting()
if level == 5:
    properties()
