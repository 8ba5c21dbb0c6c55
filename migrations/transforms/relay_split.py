"""Subscriptions of a tRPC client through a link of their own, everything else over HTTP, however they are arranged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from migrations.discovery.trpc_client import Place, TrpcClient, property_of, unwrapped
from migrations.engine.syntax import find_all, text_of
from migrations.kit_files import kit_path
from migrations.transforms.links_model import Link, Refusal, argument_of
from migrations.transforms.links_text import is_long_function, options_of, type_arguments
from migrations.transforms.links_work import HttpText, LinksWork, Shared

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tree_sitter import Node

    from migrations.discovery.layout import Layout
    from migrations.engine import AppView, Edits
    from migrations.transforms.links_sweep import FileWork

_SSE_OPTIONS = frozenset({"transformer", "url"})


@dataclass(frozen=True)
class Destination:
    """The link through which subscriptions go: what it is called, and what it takes over from the HTTP link."""

    kind: Literal["relay", "sse"]
    function: str
    options: tuple[str, ...]


RELAY = Destination("relay", "relayLink", ("transformer", "url", "headers", "fetch"))
# What httpSubscriptionLink has too (tRPC's documentation, "HTTP Subscription Link"); an EventSource sends no headers.
SSE = Destination("sse", "httpSubscriptionLink", ("transformer", "url"))


def split_clients(view: AppView, layout: Layout, clients: Iterable[TrpcClient], edits: Edits) -> tuple[Link, ...]:
    """Rearrange the links of these clients; nothing is edited where they are so already.

    Gives the live wsLinks and httpSubscriptionLinks that are gone. Raises Refusal.
    """
    work = SubscriptionSplit(view, layout, edits)
    for client in clients:
        for array in client.lists:
            work.settle_list(array)
    work.finish()
    return tuple(work.gone)


class SubscriptionSplit(LinksWork):
    """Subscriptions to `destination`, by a splitLink."""

    destination = RELAY

    def settle_list(self, array: Place) -> None:
        """Rearrange one list of links. Raises Refusal."""
        link = self.reader.last_of(array)
        if link is None or not link.ends:
            raise Refusal("no link here is known to send anything", link.place if link is not None else array)
        self.settle(link)

    def settle(self, link: Link, server_http: Link | None = None) -> None:
        """Make a terminating link send subscriptions to their destination and the rest over HTTP."""
        key = (link.place.file.path, link.place.node.start_byte, link.place.node.end_byte)
        if key in self._seen:
            return
        self._seen.add(key)
        if link.kind == "choice" and link.is_http and self._is_wrapped_at_use(link):
            self._wrap(link)
        elif link.kind == "choice":
            server = next((one for one, side in link.branches if side == "server" and one.is_http), server_http)
            for branch, side in link.branches:
                if side != "server":
                    self.settle(branch, server)
        elif link.kind == "split" and link.routing != "other":
            self._settle_split(link, server_http)
        elif link.kind in ("http", "split") and link.is_http:
            self._wrap(link)
        elif link.kind == "ws":
            http = self._http_for(link, None, server_http)
            self._write_split(link, http.shared, http.text, type_arguments(link.call.node))
            self._go(link)
        elif link.kind == "split":
            raise Refusal("the condition of this splitLink is not only about subscriptions", self._condition(link))
        elif link.kind == "relay":
            raise Refusal("every operation goes through relayLink here, queries and mutations too", link.place)
        elif link.kind == "sse":
            raise Refusal("every operation goes through httpSubscriptionLink here", link.place)
        else:
            raise Refusal("it is not known what this link does", link.place)

    def _is_wrapped_at_use(self, link: Link) -> bool:
        """Whether a name or a call for HTTP links can be wrapped where it stands: relayLink can be given the same."""
        if unwrapped(link.place.node).type not in ("identifier", "call_expression"):
            return False
        try:
            call = link.http_leaf().call
            for option in self._options(link.place, call).members:
                if option.node is not None and option.key in self.destination.options:
                    self._check_names(link.place, Place(call.file, option.node))
        except Refusal:
            return False
        return True

    def _settle_split(self, link: Link, server_http: Link | None) -> None:
        is_straight = link.routing == "subscription"
        sub, rest = (link.yes, link.no) if is_straight else (link.no, link.yes)
        if sub is not None and (not {leaf.kind for leaf in sub.leaves()} <= {"http", "ws", "sse", "relay"}):
            raise Refusal("it is not known how this link carries subscriptions", sub.place)
        if rest is not None and rest.ends and rest.is_http:
            if sub is None:
                raise Refusal("this splitLink has no link for subscriptions", link.place)
            if all(leaf.kind == self.destination.kind for leaf in sub.leaves()):
                return
            self._put_destination(sub.place.node, sub, self._shared(sub.place, rest.http_leaf().call, sub))
            self._go(sub)
            return
        if rest is not None:
            plain = [branch for branch, _ in rest.branches] if rest.kind == "choice" else [rest]
            if any(one.kind not in ("ws", "http") for one in plain):
                raise Refusal("it is not known how this link carries queries and mutations", rest.place)
            server_http = next((one for one in plain if one.kind == "http"), server_http)
        self._turn(link, sub, rest, server_http)

    def _turn(self, link: Link, sub: Link | None, rest: Link | None, server_http: Link | None) -> None:
        """A splitLink that sends queries and mutations over the WebSocket becomes the usual one."""
        work = self._work(link.call.file)
        options = argument_of(link.call.node)
        assert options is not None
        http = self._http_for(link, sub, server_http)
        if link.routing == "rest":
            self._turn_condition(link)
        values = {key: property_of(options, key) for key in ("true", "false")}
        sub_is_http_in_place = sub is not None and sub.kind == "http" and link.routing == "rest"
        if values["true"] is not None:
            self._put_destination(values["true"], link.yes, http.shared)
        if values["false"] is not None and not sub_is_http_in_place:
            base = work.base_of(values["false"])
            work.put(values["false"], work.look.fitted(work.look.rebased(http.text, base), base, len("false: ")))
        for key in ("true", "false"):
            if values[key] is None:
                self._add_member(work, options, key, http)
        for gone in (sub, rest):
            if gone is not None and gone.kind != "http":
                self._go(gone)

    def _turn_condition(self, link: Link) -> None:
        work = self._work(link.call.file)
        condition = link.condition
        assert condition is not None
        comparisons = list(find_all(condition, "binary_expression"))
        operator = comparisons[0].child_by_field_name("operator") if len(comparisons) == 1 else None
        if operator is not None and not any(True for _ in find_all(condition, "if_statement")):
            work.edit.replace_node(operator, {"!==": "===", "!=": "=="}.get(text_of(operator), text_of(operator)))
        elif condition.type == "method_definition":
            work.put(condition, f"condition: {work.look.is_subscription}")
        else:
            work.put(condition, work.look.is_subscription)
            work.removed.append((condition.start_byte, condition.end_byte))

    def _add_member(self, work: FileWork, options: Node, key: str, http: HttpText) -> None:
        """The side of a splitLink that was commented out comes after the last one."""
        members = [member for member in options.named_children if member.type != "comment"]
        last = members[-1]
        base = work.file.indentation_of(last.start_byte)
        text = (
            self._destination_text(work, http.shared, base, "") if key == "true" else work.look.rebased(http.text, base)
        )
        follower = last.next_sibling
        has_comma = follower is not None and follower.type == ","
        at = follower.end_byte if follower is not None and has_comma else last.end_byte
        comma = work.look.last_comma if has_comma else ""
        text = f"{work.look.style.newline}{base}{key}: {text}{comma}"
        work.written.append(text)
        work.edit.insert(at, text if has_comma else "," + text)

    def _wrap(self, link: Link) -> None:
        shared = self._shared(link.place, link.http_leaf().call, None)
        self._write_split(link, shared, self._moved(link.place), type_arguments(link.http_leaf().call.node))

    def _write_split(self, link: Link, shared: Shared, http: str, types: str) -> None:
        """A new splitLink in the place of a link. Everything in it goes through `look`, so that it is formatted."""
        work = self._work(link.place.file)
        node = link.place.node
        base = work.base_of(node)
        inner = base + work.look.style.indent
        package = self._package(work.file)
        split = self._import(work, package, "splitLink")
        members = (
            f"condition: {work.look.is_subscription}",
            f"true: {self._destination_text(work, shared, inner, types)}",
            f"false: {work.look.fitted(work.look.rebased(http, inner), inner, len('false: '))}",
        )
        work.put(node, work.look.object_call(split + types, members, base))

    def _put_destination(self, node: Node, replaced: Link | None, shared: Shared) -> None:
        assert replaced is not None
        work = self._work(replaced.place.file)
        types = next((type_arguments(leaf.call.node) for leaf in replaced.leaves()), "")
        work.put(node, self._destination_text(work, shared, work.base_of(node), types))

    def _destination_text(self, work: FileWork, shared: Shared, base: str, types: str) -> str:
        name = self._import(work, self._destination_module(work), self.destination.function) + types
        if shared.name:
            return f"{name}({shared.name})"
        inner = base + work.look.style.indent
        return work.look.object_call(name, (work.look.rebased(member, inner) for member in shared.members), base)

    def _destination_module(self, work: FileWork) -> str:
        if self.destination.kind == "sse":
            return self._package(work.file)
        return self._layout.specifier(work.file.path, kit_path(self._layout, "client/relay-link.ts"))

    def _shared(
        self,
        at: Place,
        call: Place,
        replaced: Link | Iterable[Link] | None,
        left_out: Iterable[str] = (),
        swapped: dict[str, str] | None = None,
    ) -> Shared:
        """What the new link takes over from an HTTP link, and from the links for subscriptions that it replaces."""
        options = self._options(at, call)
        subs = list(replaced.leaves() if isinstance(replaced, Link) else replaced or ())
        own: dict[str, str] = {}
        for leaf in subs:
            if leaf.kind == "sse":
                self._check_sse(leaf)
            given = options_of(leaf.call) if leaf.call.file is at.file else None
            for option in given.members if given is not None else ():
                if option.key in _SSE_OPTIONS and (leaf.kind == "sse" or option.key == "transformer"):
                    self._check_names(at, Place(leaf.call.file, option.node) if option.node is not None else at)
                    own.setdefault(option.key, option.text)
        if options.name:
            self._check_names(at, options.place)
            return Shared(name=options.name)
        members = []
        for option in options.members:
            if (
                option.node is None
                or (option.key and option.key not in self.destination.options)
                or option.key in left_out
            ):
                continue
            text = (swapped or {}).get(option.key)
            if text is None and option.key == "url" and any(leaf.kind == "sse" for leaf in subs):
                text = own.get("url")
            if text is None:
                self._check_names(at, Place(call.file, option.node))
                value = option.value
                if value is not None and option.key in ("headers", "fetch") and is_long_function(value):
                    self._name(at, call, option.key, option.node, value)
                text = self._member_text(call, option.node, option.text)
            members.append(text)
            own.pop(option.key, None)
        if not any(option.key == "" for option in options.members):
            members = [*(text for key, text in own.items() if key == "transformer"), *members]
        if len(members) == 1 and members[0].startswith("..."):
            return Shared(name=members[0][3:])
        return Shared(tuple(members))

    def _check_sse(self, leaf: Link) -> None:
        keys = self._keys(leaf.call)
        unknown = None if keys is None else sorted(keys - _SSE_OPTIONS)
        if unknown is None:
            raise Refusal("the options of this link cannot be read", leaf.call)
        if unknown:
            raise Refusal(
                f"httpSubscriptionLink is given {' and '.join(unknown)}, which relayLink does not have",
                leaf.call,
                "do without it, or put relayLink there by hand",
            )
