//! The case files. The build script writes this list: edit nothing here, and commit it.

pub mod abortive_close {
    pub mod acknowledgement_of_nothing;
    pub mod data_before_the_reset_is_read_first;
    pub mod destroyed_from_outside;
    pub mod ends_carry_timestamps;
    pub mod exact_reset_is_believed;
    pub mod linger_zero_after_the_peers_fin;
    pub mod linger_zero_resets;
    pub mod linger_zero_too_late;
    pub mod linger_zero_without_a_reset;
    pub mod middlebox_resets_the_sender;
    pub mod reset_after_end_of_file;
    pub mod reset_before_accept;
    pub mod reset_beside_the_number;
    pub mod reset_beyond_a_hole;
    pub mod reset_during_a_blocked_write;
    pub mod reset_just_before_the_fin;
    pub mod syn_in_mid_connection;
    pub mod too_many_orphans;
    pub mod writer_meets_the_reset;
}

pub mod graceful_close {
    pub mod all_data_before_fin;
    pub mod data_beyond_a_gap;
    pub mod eof_answered_at_once;
    pub mod fin_before_data;
    pub mod fin_waits_for_room;
    pub mod idle_close;
    pub mod last_descriptor;
    pub mod listener_closed;
    pub mod lost_data_and_fin;
    pub mod passive_closer;
    pub mod response_then_close;
    pub mod unread_fin;
}

pub mod half_close {
    pub mod both_ends_shut;
    pub mod held_fin_wait2;
    pub mod never_connected;
    pub mod older_fin;
    pub mod peer_goes_on_sending;
    pub mod shared_socket;
    pub mod shut_rd_is_local;
    pub mod shut_rd_then_close;
    pub mod shutdown_twice;
    pub mod shutdown_while_connecting;
    pub mod unread_data;
    pub mod write_after_shutdown;
}

pub mod http_servers {
    pub mod closes_at_once;
    pub mod lingers_for_half_a_minute;
    pub mod lingers_while_bytes_come;
}

pub mod impaired_path {
    pub mod corruption;
    pub mod crossing;
    pub mod dead_machine;
    pub mod delay;
    pub mod duplication;
    pub mod jitter;
    pub mod long_lingering;
    pub mod loss;
    pub mod overtaken_data;
    pub mod reordering;
    pub mod slow_download;
    pub mod slow_link;
}

pub mod incidents {
    pub mod balancer_forgets_a_running_query;
    pub mod client_vanishes_during_a_copy;
    pub mod node_fails_over_under_a_writer;
    pub mod server_dies_during_a_query;
}

pub mod keepalive {
    pub mod answered_probes;
    pub mod back_around_the_last_probe;
    pub mod behind_a_balancer;
    pub mod counted_from_the_last_segment;
    pub mod inherited_from_a_listener;
    pub mod limits;
    pub mod no_probes_by_sysctl;
    pub mod no_room_to_ask;
    pub mod off_unless_asked;
    pub mod retuned_while_probing;
    pub mod silent_peer_is_given_up;
    pub mod waits_for_data;
    pub mod waits_for_the_window;
}

pub mod linger {
    pub mod close_wait;
    pub mod exit_does_not_linger;
    pub mod inherited;
    pub mod last_reference_lingers;
    pub mod negative_time;
    pub mod nothing_to_wait_for;
    pub mod off_unless_told;
    pub mod success_promises_nothing;
    pub mod time_out_is_no_reset;
    pub mod unread_data_comes_first;
    pub mod until_the_fin_is_acknowledged;
    pub mod zero_window;
}

pub mod listen_queue {
    pub mod abort_on_overflow;
    pub mod closed_port;
    pub mod full_queue;
    pub mod reset_in_syn_recv;
    pub mod reset_in_syn_sent;
    pub mod strays;
    pub mod syn_cookies;
}

pub mod lost_control {
    pub mod challenges;
    pub mod deferred_accept;
    pub mod lost_acknowledgements;
    pub mod lost_fin;
    pub mod lost_handshake;
    pub mod lost_reset;
    pub mod no_syn_ack_arrives;
}

pub mod network_faults {
    pub mod address_removed;
    pub mod balancer_forgets_an_idle_connection;
    pub mod black_hole;
    pub mod cable_restored;
    pub mod connect_to_nobody;
    pub mod icmp_ends_connect;
    pub mod icmp_names_the_timeout;
    pub mod icmp_reported_at_once;
    pub mod keepalive_without_carrier;
    pub mod long_packets_vanish;
    pub mod nat_forgets_an_idle_connection;
    pub mod nat_forgets_and_the_server_speaks;
    pub mod nat_lets_a_stranger_through;
    pub mod no_route;
    pub mod own_interface_down;
    pub mod peer_link_down;
    pub mod peers_address_removed;
    pub mod unreachable_keeps_the_pace;
}

pub mod power {
    pub mod reader_with_a_timeout;
    pub mod reboot_and_keepalive;
    pub mod reboot_forgets;
    pub mod silent_death;
    pub mod sleep_and_wake;
    pub mod stock_keepalive;
    pub mod survivor_writes;
    pub mod two_ways_to_get_it_wrong;
    pub mod vanished_socket;
}

pub mod process_death {
    pub mod connecting;
    pub mod container_killed;
    pub mod during_a_partition;
    pub mod exec;
    pub mod linger_zero;
    pub mod network_removed;
    pub mod orphan_gives_up;
    pub mod panic;
    pub mod shared_descriptors;
    pub mod stopped;
    pub mod the_ending_is_invisible;
    pub mod unread_data;
}

pub mod readiness {
    pub mod before_it_is_connected;
    pub mod connect_with_a_send_timeout;
    pub mod given_up_while_parked;
    pub mod listener_closed;
    pub mod own_shutdown;
    pub mod peers_ending;
}

pub mod retransmission {
    pub mod a_time_and_not_a_count;
    pub mod capped_back_off;
    pub mod doubling;
    pub mod half_closed_is_no_orphan;
    pub mod late_never_early;
    pub mod lower_floor;
    pub mod orphan;
    pub mod orphan_with_a_soft_error;
    pub mod path_is_doubted;
    pub mod thin_stream;
    pub mod unanswered_syn;
    pub mod unanswered_syn_ack;
}

pub mod state_specific {
    pub mod close_wait_leak;
    pub mod last_ack;
    pub mod orphaned_fin_wait2;
    pub mod simultaneous_close;
}

pub mod time_wait {
    pub mod lasts_a_minute;
    pub mod occupies_the_port;
    pub mod restarted;
    pub mod reused;
}

pub mod unread_data {
    pub mod both_ends_leave_data_unread;
    pub mod drained_before_close;
    pub mod late_body_after_a_clean_close;
    pub mod queued_tail_is_lost;
    pub mod response_before_the_reset;
    pub mod unread_data_resets;
}

pub mod user_timeout {
    pub mod busy_connection;
    pub mod closed_window;
    pub mod connecting;
    pub mod idle_connection;
    pub mod inherited;
    pub mod late_acknowledgement;
    pub mod no_room_to_send;
    pub mod values;
    pub mod with_keepalive;
}

pub mod zero_window {
    pub mod answers_are_rationed;
    pub mod beyond;
    pub mod nothing_to_send;
    pub mod orphan;
    pub mod peer_dies;
    pub mod probe_interval_is_capped;
    pub mod probes_without_end;
    pub mod reader_killed;
    pub mod reopened;
    pub mod taken_back;
}
