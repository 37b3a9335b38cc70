//! Every behaviour this adapter claims, against the simulated exchange.

cex_compliance::suite!(
    cex_gateio::REGISTRATION,
    [("depth_interval", "100ms")],
    [("book_channel", "obu")],
    [("book_channel", "obu"), ("depth_interval", "100ms")],
);
